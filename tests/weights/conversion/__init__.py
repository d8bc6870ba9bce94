"""Foreign files of weights: recognised, converted, loaded."""
