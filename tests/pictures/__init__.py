"""The pictures in README and runbooks, made here and nowhere else: ``python -m tests.pictures`` (:mod:`.album`)."""
