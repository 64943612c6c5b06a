"""Put the extension and the stage commands where they belong, and take them away again."""
