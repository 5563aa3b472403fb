"""The verbs, pure: who may move (:mod:`.waves`, kept up by :mod:`.standing`), what is next (:mod:`.decide`), and when
again (:mod:`.backoff`).
"""
