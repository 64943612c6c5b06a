"""What CI and the two commands of the README need; no part of the product."""
