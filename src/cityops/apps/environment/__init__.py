"""环境监测: air quality and weather."""
