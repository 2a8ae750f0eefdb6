"""The sections of the report: every module here is part of each page. `runs.page.section` says how to add one."""
