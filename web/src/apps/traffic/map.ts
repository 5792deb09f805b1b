// What the traffic app draws: the level of service of every road link.
import type { Map as GlMap } from 'maplibre-gl'
import { linksChanged, los } from '../../feed/live.ts'
import type { Beat } from '../../map/beat.ts'
import type { MapPart } from '../../map/part.ts'
import { paintRoads } from '../../map/roads.ts'
import { CITY } from '../../map/style.ts'

/** Sets the state of every link known by now and keeps it up to date with the map's beat; returns what ends it. */
function drive(map: GlMap, beat: Beat): () => void {
  const changed = new Set(los.keys())
  const show = (): void => {
    for (const id of changed) map.setFeatureState({ source: CITY, sourceLayer: 'road', id }, { los: los.get(id) ?? 0 })
    changed.clear()
  }
  beat.ask(show)
  return linksChanged.on(({ pairs, before }) => {
    for (const id of before) changed.add(id)
    for (let i = 0; i < pairs.length; i += 2) changed.add(pairs[i]!)
    beat.ask(show)
  })
}

const roads: MapPart = {
  topic: 'traffic.links',
  height: 'points',
  layers: () => [],
  drive,
  show: (map, visible, { legend }) => paintRoads(map, visible ? legend : []),
}

export default (): MapPart[] => [roads]
