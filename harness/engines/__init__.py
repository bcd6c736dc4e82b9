"""Engines that are nothing but Python, and the one place where all engines are registered."""
