// The city's map in WebGL: base style, the apps' layers, what is chosen, and the camera.
import { addProtocol, Map as GlMap, setWorkerUrl, type GeoJSONSource, type MapGeoJSONFeature, type MapMouseEvent } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'
import { Protocol } from 'pmtiles'
import { watch } from 'vue'
import type { CityInfo, LayerInfo } from '../api/types.ts'
import { alerts, stations, units, type Unit } from '../feed/live.ts'
import { locale, t } from '../i18n/index.ts'
import { alertsPart } from './alerts.ts'
import { Beat } from './beat.ts'
import { pictureOn } from './image.ts'
import { CHOSEN } from './palette.ts'
import { appParts, type MapPart } from './part.ts'
import { placeLayers } from './places.ts'
import { pointsPart } from './points.ts'
import { chooseRoad, ROAD_LAYERS, roadLayers } from './roads.ts'
import { choose, chosen, type Chosen, type ObjectKind } from './selection.ts'
import { shown } from './shown.ts'
import { addSprites } from './sprites.ts'
import { at, scaled } from './scale.ts'
import { baseStyle, fontFaces, UNDER_LABELS, UNDER_WATER } from './style.ts'
import { AGGREGATED_BELOW, isTraffic, Swarm } from './swarm.ts'
import { unitsPart } from './units.ts'
import type { CityView } from './view.ts'
import type { Zone } from './zone.ts'

const REACH_PX = 6
const BASE_ASKED: Readonly<Record<string, ObjectKind>> = { place: 'place', ...Object.fromEntries(ROAD_LAYERS.map((id) => [id, 'link'])) }
const BASE: Record<string, readonly string[]> = {
  places: ['place'],
  buildings: ['building'],
  volumes: ['building-volume'],
  districts: ['district-line', 'district-name'],
}

setWorkerUrl(workerUrl)
addProtocol('pmtiles', new Protocol().tile)

function pointOf(kind: ObjectKind, { properties }: MapGeoJSONFeature, [lon, lat]: [number, number]): Chosen {
  return { kind, id: String(properties['id'] ?? properties['place_id']), lon, lat, facts: properties }
}

function linkOf({ id, properties }: MapGeoJSONFeature, { lng, lat }: { lng: number; lat: number }): Chosen {
  return { kind: 'link', id: String(properties['link_id']), fid: Number(id), lon: lng, lat, facts: properties }
}

class GlView implements CityView {
  private readonly map: GlMap
  private readonly city: CityInfo
  private zone: Zone
  private readonly beat = new Beat()
  private readonly swarm: Swarm
  private parts: MapPart[] = []
  private readonly endings: (() => void)[] = []

  constructor(container: HTMLElement, city: CityInfo, zone: Zone) {
    this.city = city
    this.zone = zone
    this.swarm = new Swarm(city.center)
    const [west, south, east, north] = city.bounds
    const [dx, dy] = [(east - west) * 0.6, (north - south) * 0.6]
    this.map = new GlMap({
      container,
      style: baseStyle(city.tiles ?? '/v1/tiles/tiles.pmtiles', locale(), zone.scale),
      bounds: city.bounds,
      fitBoundsOptions: { padding: zone.padding },
      maxBounds: [west - dx, south - dy, east + dx, north + dy],
      attributionControl: false,
      renderWorldCopies: false,
      fadeDuration: 0,
      maxZoom: 18.5,
      maxPitch: 60,
      locale: { 'Map.Title': t('map.title') },
    })
  }

  async ready(layers: readonly LayerInfo[]): Promise<void> {
    await this.map.once('style.load')
    const map = this.map
    addSprites(map, this.zone.scale)
    this.parts = [...appParts(layers), unitsPart(this.swarm), alertsPart]
    const drawn = new Set(this.parts.map((part) => part.topic))
    this.parts.push(...layers.filter((layer) => layer.kind === 'points' && !drawn.has(layer.topic)).map(pointsPart))
    for (const part of this.parts) for (const [id, source] of Object.entries(part.sources ?? {})) map.addSource(id, source)
    map.addSource('chosen', { type: 'geojson', data: { type: 'FeatureCollection', features: [] } })
    for (const layer of roadLayers()) map.addLayer(layer, UNDER_LABELS)
    map.moveLayer('building-volume', UNDER_LABELS)
    for (const layer of placeLayers()) map.addLayer(layer)
    this.add('points')
    map.addLayer({
      id: 'chosen',
      type: 'circle',
      source: 'chosen',
      paint: {
        'circle-radius': scaled(22),
        'circle-opacity': 0,
        'circle-stroke-color': CHOSEN,
        'circle-stroke-width': scaled(2.2),
      },
    })
    map.moveLayer('district-name')
    this.add('top')
    this.follow(layers)
    map.on('click', (event) => choose(this.at(event)))
    if (chosen.value) this.show(chosen.value)
    if (!map.loaded()) await map.once('load')
  }

  home(): void {
    this.map.fitBounds(this.city.bounds, { padding: this.zone.padding, pitch: 0, bearing: 0, duration: 0 })
  }

  zoomBy(steps: number): void {
    this.map.zoomTo(this.map.getZoom() + steps, { duration: 250 })
  }

  resize(zone: Zone): void {
    this.zone = zone
    this.map.resize()
    this.home()
  }

  addFonts(slices: readonly { url: string; ranges: string[] }[]): void {
    this.map.setFontFaces(fontFaces(slices))
  }

  close(): void {
    for (const end of this.endings) end()
    this.beat.stop()
    this.map.remove()
  }

  private add(height: MapPart['height']): void {
    for (const part of this.parts.filter((one) => one.height === height)) {
      for (const layer of part.layers()) this.map.addLayer(layer)
    }
  }

  private follow(layers: readonly LayerInfo[]): void {
    const map = this.map
    this.endings.push(
      ...this.parts.map((part) => part.drive(map, this.beat)),
      watch(chosen, (next) => this.show(next)),
      watch(locale, (language) => map.setGlobalStateProperty('language', language)),
    )
    const on = (id: string, apply: (visible: boolean) => void): void => {
      this.endings.push(watch(() => shown[id] ?? true, apply, { immediate: true }))
    }
    for (const layer of layers) {
      if (layer.image) this.picture(layer.id, layer.image, on)
      else on(layer.id, (visible) => this.switchPart(layer, visible))
    }
    for (const [id, names] of Object.entries(BASE)) on(id, (visible) => this.setVisible(names, visible))
    on('volumes', (visible) => map.easeTo({ pitch: visible ? 50 : 0, duration: 400 }))
  }

  private picture(id: string, address: string, on: (id: string, apply: (visible: boolean) => void) => void): void {
    const refresh = pictureOn(this.map, `picture-${id}`, address, UNDER_WATER)
    on(id, (visible) => {
      if (visible) void refresh()
      this.setVisible([`picture-${id}`], visible)
    })
    this.endings.push(watch(stations, () => shown[id] && void refresh()))
  }

  private switchPart(layer: LayerInfo, visible: boolean): void {
    const part = this.parts.find((one) => one.topic === layer.topic)
    if (!part) return
    this.setVisible(part.layers().map(({ id }) => id), visible)
    part.show?.(this.map, visible, layer)
  }

  private setVisible(names: readonly string[], visible: boolean): void {
    for (const name of names) {
      if (this.map.getLayer(name)) this.map.setLayoutProperty(name, 'visibility', visible ? 'visible' : 'none')
    }
  }

  private at({ point: { x, y }, lngLat }: MapMouseEvent): Chosen | undefined {
    const box: [[number, number], [number, number]] = [
      [x - REACH_PX, y - REACH_PX],
      [x + REACH_PX, y + REACH_PX],
    ]
    const asked = Object.assign({ ...BASE_ASKED }, ...this.parts.map((part) => part.asked ?? {})) as Record<string, ObjectKind>
    const found = this.map.queryRenderedFeatures(box, { layers: Object.keys(asked) })
    const [nearest] = found.filter((one) => one.geometry.type === 'Point')
    const kind = nearest && asked[nearest.layer.id]
    const unit = kind === 'alert' ? undefined : this.unitAt(x, y)
    if (unit) return { kind: 'unit', id: unit.id }
    if (kind && nearest.geometry.type === 'Point') return pointOf(kind, nearest, nearest.geometry.coordinates as [number, number])
    const road = found.find((one) => asked[one.layer.id] === 'link')
    return road && linkOf(road, lngLat)
  }

  private unitAt(x: number, y: number): Unit | undefined {
    if (!this.swarm.visible) return undefined
    let [nearest, distance]: [Unit | undefined, number] = [undefined, REACH_PX * this.zone.scale * 1.5]
    const apart = this.map.getZoom() >= at(AGGREGATED_BELOW)
    for (const unit of units.values()) {
      if (!apart && !isTraffic(unit)) continue
      const seen = this.map.project([unit.lon, unit.lat])
      const away = Math.hypot(seen.x - x, seen.y - y)
      if (away < distance) [nearest, distance] = [unit, away]
    }
    return nearest
  }

  private show(next: Chosen | undefined): void {
    chooseRoad(this.map, next?.fid)
    const point = next && next.kind !== 'link' ? placed(next) : undefined
    const features = point ? [{ type: 'Feature' as const, geometry: { type: 'Point' as const, coordinates: point }, properties: {} }] : []
    void (this.map.getSource('chosen') as GeoJSONSource).setData({ type: 'FeatureCollection', features })
    const goal = next && (point ?? (next.lon !== undefined && next.lat !== undefined ? ([next.lon, next.lat] as const) : undefined))
    if (goal && !this.inView(goal)) {
      const { padding } = this.zone
      this.map.easeTo({ center: [...goal] as [number, number], zoom: Math.max(this.map.getZoom(), at(14)), padding, duration: 600 })
    }
  }

  /** Whether a place is in the part of the map that no panel covers. */
  private inView([lon, lat]: readonly [number, number]): boolean {
    const { x, y } = this.map.project([lon, lat])
    const { clientWidth, clientHeight } = this.map.getContainer()
    const { left, right, top, bottom } = this.zone.padding
    return x > left && x < clientWidth - right && y > top && y < clientHeight - bottom
  }
}

function placed(next: Chosen): [number, number] | undefined {
  const known = next.kind === 'unit' ? units.get(next.id) : next.kind === 'air' ? stations.value.find((one) => one.id === next.id) : alerts.value.find((one) => one.id === next.id)
  const [lon, lat] = [known?.lon ?? next.lon, known?.lat ?? next.lat]
  return lon === undefined || lat === undefined ? undefined : [lon, lat]
}

/** Returns the map of `city` drawn into `container`. */
export function createView(container: HTMLElement, city: CityInfo, zone: Zone): CityView {
  return new GlView(container, city, zone)
}
