"""The board: a live page of what the journal says, for everybody who has to look and nobody who may act.

A follower reads the journal, a page is a pure function of what it saw, and every open page is sent only what changed on
it. Nothing here writes: neither to the journal, nor to hosts, nor on behalf of whoever looks.
"""
