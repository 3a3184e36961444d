"""The one door of the Corkscrew CRM suite."""
