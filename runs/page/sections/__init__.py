"""A module a section of the report; the template of its name lies in `runs/page/templates`."""
