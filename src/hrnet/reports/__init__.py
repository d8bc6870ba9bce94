"""`hrnet report`: one HTML page about a training run and its best model.

    run folder -> RunFolder;  best checkpoint + labelled data -> Evaluated;  both -> page

The parts that a task has of its own come from its `TaskParts.sections`.
"""

from hrnet.reports.write import REPORT, Report, report

__all__ = ["REPORT", "Report", "report"]
