"""The lab: a simulated estate (:mod:`.estate`) behind a real wire (:mod:`.wire`), which ships with the product."""
