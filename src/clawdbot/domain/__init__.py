"""The words of the house: values, decisions and ports. Pure; knows no input, output or library."""
