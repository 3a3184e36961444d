"""The kernel of the Corkscrew CRM suite."""
