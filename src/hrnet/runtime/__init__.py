"""Run an exported model without torch."""
