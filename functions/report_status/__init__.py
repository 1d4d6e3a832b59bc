"""ReportStatus: how a commit's release stands, told to where the commit came from."""
