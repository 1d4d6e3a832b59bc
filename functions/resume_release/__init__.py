"""ResumeRelease: a build at CodeBuild has ended; who waits for it goes on."""
