"""The facts that decisions are based on, and the vocabulary of a plan: values only."""
