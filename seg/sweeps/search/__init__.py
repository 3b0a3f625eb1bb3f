"""sweep=optuna: a search for the best values of some keys, which ends what falls behind."""
