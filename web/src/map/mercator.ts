// Web Mercator on the unit square: 0, 0 is the north-west corner of the world.

export function toUnit(lon: number, lat: number): [number, number] {
  const sine = Math.sin((lat * Math.PI) / 180)
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)]
}
