"""The verbs, pure: who may move (:mod:`.waves`), what is next (:mod:`.decide`), when again (:mod:`.backoff`)."""
