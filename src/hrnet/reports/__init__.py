"""`hrnet report`: what a training run did and how good its model is, as one HTML page.

run folder -> RunFolder;  best checkpoint + validation data -> Findings;  both -> page
"""

from hrnet.reports.write import REPORT, Report, report

__all__ = ["REPORT", "Report", "report"]
