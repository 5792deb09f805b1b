"""技术中台: what any application needs, knowing nothing of cities."""
