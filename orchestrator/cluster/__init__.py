"""Several sites: the runner that drives posts calls to hosts that only others can reach, and they carry them.

One runner decides and writes, the holder of the journal's lease; the runners of other sites are its hands. Between them
stand the journal's board (:mod:`orchestrator.journal.jobs`) and an engine that rings
(:mod:`orchestrator.remote.engine`).
"""
