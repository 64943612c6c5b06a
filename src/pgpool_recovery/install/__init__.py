"""Install the extension and the stage commands, and uninstall them."""
