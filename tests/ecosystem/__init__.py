"""Packages around LangChain, which the group `ecosystem` installs."""
