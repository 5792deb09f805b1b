"""A real city from an OpenStreetMap extract, in the same plan as a generated one."""

from cityops.twin.plan.osm.importer import ImportCityError, import_city

__all__ = ["ImportCityError", "import_city"]
