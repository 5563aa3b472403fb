"""Security descriptors: their text taken apart, and who may do what by them.

:mod:`words` holds the vocabulary of SDDL, :mod:`sddl` reads and writes the language, :mod:`access` decides for one
token, :mod:`principals` knows who is in which group, :mod:`trusted` who counts as tier 0, :mod:`exposure` finds
everybody else who is let in.
"""
