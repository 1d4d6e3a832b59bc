"""AwaitBuilds: what CodeBuild makes is started and waited for, without running anything."""
