"""The folder that `adksess serve --demo` gives to ADK as its agents folder."""
