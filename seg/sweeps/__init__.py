"""Many runs from one command: what the jobs are, how each is kept from the others, what is left."""
