"""What people and machines see of a run. Read only: folds of the journal's rows."""
