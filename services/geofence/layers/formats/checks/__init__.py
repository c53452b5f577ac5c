"""What is held against what, once every feature of a layer is valid by itself."""
