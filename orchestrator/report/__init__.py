"""What auditors and managers are given: one document made of a run's rows, and that document as a page and as a table.

:class:`~orchestrator.report.reading.Reading` is shown the rows, :func:`~orchestrator.report.document.report_document`
makes the document of what it has seen, and everything else renders that document. Pure: the same rows and the same plan
give the same bytes.
"""
