// The city's map on a plain canvas, for machines without WebGL 2: the same tiles, fewer layers, drawn when something changed.
import { VectorTile, type VectorTileFeature } from '@mapbox/vector-tile'
import { PbfReader } from 'pbf'
import { PMTiles } from 'pmtiles'
import { watch } from 'vue'
import type { CityInfo, LayerInfo } from '../api/types.ts'
import { alerts, linksChanged, los, stations, units, unitsChanged } from '../feed/live.ts'
import { locale, pick } from '../i18n/index.ts'
import { NUMERALS, SEVERITY_SHAPES } from './icons.ts'
import { toUnit } from './mercator.ts'
import { CHOSEN, GREEN, GROUND, HALO, LABEL, POLLUTED, ROADS, SEVERITY, UNIT, UNIT_STALE, WATER } from './palette.ts'
import { choose, chosen, type Chosen } from './selection.ts'
import { shown } from './shown.ts'
import type { CityView } from './view.ts'
import type { Zone } from './zone.ts'

const TILE_PX = 512
const [LEAST_ZOOM, MOST_ZOOM] = [8, 17]
const REDRAW_MS = 1_000
const REACH_PX = 10
const TILES_KEPT = 64

interface Road {
  fid: number
  path: Path2D
  rank: number
  facts: Record<string, unknown>
}

/** One tile as paths in units of its own 0…1 square. */
interface Drawn {
  water: Path2D
  green: Path2D
  districts: Path2D
  roads: Road[]
}

function trace(feature: VectorTileFeature, path: Path2D): void {
  for (const ring of feature.loadGeometry()) {
    for (const [i, point] of ring.entries()) {
      const [x, y] = [point.x / feature.extent, point.y / feature.extent]
      if (i === 0) path.moveTo(x, y)
      else path.lineTo(x, y)
    }
  }
}

/** Traces an area's border without the edges along which the tile cut it. */
function traceBorder(feature: VectorTileFeature, path: Path2D): void {
  const cut = (a: number, b: number): boolean => a === b && (a <= 0 || a >= feature.extent)
  for (const ring of feature.loadGeometry()) {
    for (const [i, to] of ring.entries()) {
      const from = ring[i - 1]
      if (!from || cut(from.x, to.x) || cut(from.y, to.y)) path.moveTo(to.x / feature.extent, to.y / feature.extent)
      else path.lineTo(to.x / feature.extent, to.y / feature.extent)
    }
  }
}

const rankOf = (highway: unknown): number => {
  const rank = ROADS.findIndex((road) => (road.classes as readonly unknown[]).includes(highway))
  return rank < 0 ? ROADS.length - 1 : rank
}

function drawnFrom(bytes: ArrayBuffer): Drawn {
  const { layers } = new VectorTile(new PbfReader(bytes))
  const area = (name: string, draw = trace): Path2D => {
    const path = new Path2D()
    const layer = layers[name]
    for (let i = 0; layer && i < layer.length; i++) draw(layer.feature(i), path)
    return path
  }
  const roads: Road[] = []
  const layer = layers['road']
  for (let i = 0; layer && i < layer.length; i++) {
    const feature = layer.feature(i)
    const path = new Path2D()
    trace(feature, path)
    roads.push({ fid: feature.id ?? 0, path, rank: rankOf(feature.properties['highway']), facts: feature.properties })
  }
  return { water: area('water'), green: area('green'), districts: area('district', traceBorder), roads: roads.sort((a, b) => b.rank - a.rank) }
}

class FlatView implements CityView {
  private readonly canvas = document.createElement('canvas')
  private readonly context = this.canvas.getContext('2d')!
  private readonly tiles: PMTiles
  private readonly kept = new Map<string, Drawn | undefined>()
  private readonly endings: (() => void)[] = []
  private readonly colours = new Map<number, string>()
  private readonly container: HTMLElement
  private readonly city: CityInfo
  private zone: Zone
  private zoom = 11
  private center: [number, number] = [0.5, 0.5]
  private deepest = 14
  private due: ReturnType<typeof setTimeout> | undefined

  constructor(container: HTMLElement, city: CityInfo, zone: Zone) {
    this.container = container
    this.city = city
    this.zone = zone
    this.tiles = new PMTiles(new URL(city.tiles ?? '/v1/tiles/tiles.pmtiles', location.href).href)
    Object.assign(this.canvas.style, { position: 'absolute', inset: '0', width: '100%', height: '100%' })
    this.canvas.tabIndex = 0
    this.canvas.setAttribute('role', 'application')
    this.canvas.setAttribute('aria-label', pick(city.name))
    container.append(this.canvas)
  }

  async ready(layers: readonly LayerInfo[]): Promise<void> {
    this.deepest = (await this.tiles.getHeader()).maxZoom
    for (const layer of layers) {
      if (layer.kind === 'road-state') for (const { value, color } of layer.legend) if (value >= 3) this.colours.set(value, color)
    }
    const later = (): void => this.redraw(REDRAW_MS)
    this.endings.push(linksChanged.on(later), unitsChanged.on(later), watch([stations, alerts, locale, () => ({ ...shown })], later))
    this.endings.push(
      watch(chosen, (next) => {
        if (next?.lon !== undefined && next.lat !== undefined) this.center = toUnit(next.lon, next.lat)
        this.redraw()
      }),
    )
    this.listen()
    this.home()
  }

  home(): void {
    const [west, south, east, north] = this.city.bounds
    const [[left, bottom], [right, top]] = [toUnit(west, south), toUnit(east, north)]
    const { padding } = this.zone
    const free = [this.container.clientWidth - padding.left - padding.right, this.container.clientHeight - padding.top - padding.bottom]
    this.zoom = Math.log2(Math.min(free[0]! / (right - left), free[1]! / (bottom - top)) / TILE_PX)
    this.center = [(left + right) / 2, (top + bottom) / 2]
    this.redraw()
  }

  zoomBy(steps: number): void {
    this.zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.zoom + steps))
    this.redraw()
  }

  resize(zone: Zone): void {
    this.zone = zone
    this.home()
  }

  addFonts(): void {
    this.redraw()
  }

  close(): void {
    clearTimeout(this.due)
    for (const end of this.endings) end()
    this.canvas.remove()
  }

  /** Pixels on the canvas of a place on the unit square. */
  private place([x, y]: readonly [number, number]): [number, number] {
    const size = TILE_PX * 2 ** this.zoom
    const { padding } = this.zone
    const middle = [(this.container.clientWidth + padding.left - padding.right) / 2, (this.container.clientHeight + padding.top - padding.bottom) / 2]
    return [(x - this.center[0]) * size + middle[0]!, (y - this.center[1]) * size + middle[1]!]
  }

  private redraw(afterMs = 0): void {
    if (afterMs > 0 && this.due !== undefined) return
    clearTimeout(this.due)
    this.due = setTimeout(() => {
      this.due = undefined
      this.paint()
    }, afterMs)
  }

  private listen(): void {
    const { canvas } = this
    let from: [number, number] | undefined
    let moved = false
    canvas.addEventListener('pointerdown', (event) => {
      from = [event.clientX, event.clientY]
      moved = false
      canvas.setPointerCapture(event.pointerId)
    })
    canvas.addEventListener('pointermove', (event) => {
      if (!from) return
      moved ||= Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 3
      this.moveBy(from[0] - event.clientX, from[1] - event.clientY)
      from = [event.clientX, event.clientY]
    })
    canvas.addEventListener('pointerup', (event) => {
      from = undefined
      if (!moved) choose(this.at(event.offsetX, event.offsetY))
    })
    canvas.addEventListener('wheel', (event) => this.zoomBy(event.deltaY < 0 ? 0.5 : -0.5), { passive: true })
    const keys: Record<string, () => void> = {
      ArrowLeft: () => this.moveBy(-100, 0),
      ArrowRight: () => this.moveBy(100, 0),
      ArrowUp: () => this.moveBy(0, -100),
      ArrowDown: () => this.moveBy(0, 100),
      '+': () => this.zoomBy(1),
      '=': () => this.zoomBy(1),
      '-': () => this.zoomBy(-1),
    }
    canvas.addEventListener('keydown', (event) => keys[event.key]?.())
  }

  private moveBy(dx: number, dy: number): void {
    const size = TILE_PX * 2 ** this.zoom
    this.center = [this.center[0] + dx / size, this.center[1] + dy / size]
    this.redraw()
  }

  /** Tiles in sight as [x, y] at level `z`. */
  private inSight(z: number): [number, number][] {
    const [left, top] = this.place([0, 0])
    const side = TILE_PX * 2 ** (this.zoom - z)
    const range = (start: number, extent: number): number[] => {
      const first = Math.floor(-start / side)
      return Array.from({ length: Math.floor((extent - start) / side) - first + 1 }, (_, i) => first + i)
    }
    return range(left, this.container.clientWidth).flatMap((x) => range(top, this.container.clientHeight).map((y): [number, number] => [x, y]))
  }

  private tile(z: number, x: number, y: number): Drawn | undefined {
    const key = `${z}/${x}/${y}`
    if (!this.kept.has(key)) {
      this.kept.set(key, undefined)
      if (this.kept.size > TILES_KEPT) this.kept.delete(this.kept.keys().next().value!)
      void this.tiles.getZxy(z, x, y).then((found) => {
        if (!found) return
        this.kept.set(key, drawnFrom(found.data))
        this.redraw(50)
      })
    }
    return this.kept.get(key)
  }

  private paint(): void {
    const { canvas, context, container } = this
    const ratio = devicePixelRatio
    canvas.width = container.clientWidth * ratio
    canvas.height = container.clientHeight * ratio
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.fillStyle = GROUND
    context.fillRect(0, 0, canvas.width, canvas.height)
    const z = Math.max(0, Math.min(this.deepest, Math.floor(this.zoom)))
    const side = TILE_PX * 2 ** (this.zoom - z)
    for (const [x, y] of this.inSight(z)) {
      const drawn = this.tile(z, x, y)
      if (!drawn) continue
      const [left, top] = this.place([x / 2 ** z, y / 2 ** z])
      context.setTransform(side * ratio, 0, 0, side * ratio, left * ratio, top * ratio)
      this.paintTile(drawn, side)
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.paintPoints()
  }

  private paintTile(drawn: Drawn, side: number): void {
    const { context } = this
    context.fillStyle = GREEN
    context.fill(drawn.green)
    context.fillStyle = WATER
    context.fill(drawn.water, 'evenodd')
    if (shown['districts'] !== false) {
      context.lineWidth = 1 / side
      context.strokeStyle = '#3c4d5f'
      context.stroke(drawn.districts)
    }
    const growth = 1.45 ** (this.zoom - 11)
    for (const { fid, path, rank } of drawn.roads) {
      const road = ROADS[rank]!
      const level = shown['traffic'] === false ? undefined : los.get(fid)
      context.strokeStyle = (level && this.colours.get(level)) || (level ? road.slate : road.idle)
      context.lineWidth = (Math.max(0.4, road.at11 * growth) * this.zone.scale) / side
      context.stroke(path)
    }
  }

  private paintPoints(): void {
    const { context, zone } = this
    const unit = zone.scale
    if (shown['units'] !== false) {
      for (const one of units.values()) {
        const [x, y] = this.place(toUnit(one.lon, one.lat))
        context.fillStyle = one.stale ? UNIT_STALE : UNIT
        const half = (one.kind === 'probe' ? 1.2 : 3.5) * unit
        context.fillRect(x - half, y - half, half * 2, half * 2)
      }
    }
    context.textAlign = 'center'
    context.textBaseline = 'middle'
    if (shown['air_stations'] !== false) {
      for (const station of stations.value) {
        const [x, y] = this.place(toUnit(station.lon, station.lat))
        this.disc(x, y, 17 * unit, (station.level && POLLUTED[station.level]) || '#6f849a')
        this.words(station.aqi === null ? '—' : String(station.aqi), x, y, 17, CHOSEN)
      }
    }
    for (const district of this.city.districts) {
      const [x, y] = this.place(toUnit(district.center[0], district.center[1]))
      this.words(pick(district.name), x, y, 21, LABEL)
    }
    if (shown['alerts'] !== false) this.paintAlerts(unit)
    this.paintChosen(unit)
  }

  private paintAlerts(unit: number): void {
    const { context } = this
    for (const alert of alerts.value) {
      if (alert.lon === null || alert.lat === null) continue
      const [x, y] = this.place(toUnit(alert.lon, alert.lat))
      const level = alert.severity as 1 | 2 | 3 | 4
      context.save()
      context.translate(x - 14 * unit, y - 14 * unit)
      context.scale((28 * unit) / 24, (28 * unit) / 24)
      context.fillStyle = SEVERITY[level]
      context.fill(new Path2D(SEVERITY_SHAPES[level]))
      context.restore()
      context.fillStyle = '#0a0f15'
      context.font = `600 ${12 * unit}px City`
      context.fillText(NUMERALS[level], x, y + (level === 3 ? 4 : 1) * unit)
      this.words(alert.title, x, y + 30 * unit, 18, CHOSEN)
    }
  }

  private paintChosen(unit: number): void {
    const next = chosen.value
    if (next?.lon === undefined || next.lat === undefined) return
    const [x, y] = this.place(toUnit(next.lon, next.lat))
    this.context.beginPath()
    this.context.arc(x, y, 22 * unit, 0, Math.PI * 2)
    this.context.lineWidth = 2 * unit
    this.context.strokeStyle = CHOSEN
    this.context.stroke()
  }

  private disc(x: number, y: number, radius: number, edge: string): void {
    const { context } = this
    context.beginPath()
    context.arc(x, y, radius, 0, Math.PI * 2)
    context.fillStyle = 'rgba(13, 21, 31, 0.92)'
    context.fill()
    context.lineWidth = 1.5
    context.strokeStyle = edge
    context.stroke()
  }

  private words(text: string, x: number, y: number, px: number, colour: string): void {
    const { context } = this
    context.font = `600 ${px * this.zone.scale}px City, "City Rest", sans-serif`
    context.lineWidth = 3
    context.lineJoin = 'round'
    context.strokeStyle = HALO
    context.strokeText(text, x, y)
    context.fillStyle = colour
    context.fillText(text, x, y)
  }

  private at(x: number, y: number): Chosen | undefined {
    const near = <T extends { lon: number | null; lat: number | null }>(things: Iterable<T>): T | undefined => {
      for (const thing of things) {
        if (thing.lon === null || thing.lat === null) continue
        const [px, py] = this.place(toUnit(thing.lon, thing.lat))
        if (Math.hypot(px - x, py - y) < REACH_PX * this.zone.scale) return thing
      }
      return undefined
    }
    const alert = near(alerts.value)
    if (alert) return { kind: 'alert', id: alert.id, lon: alert.lon ?? undefined, lat: alert.lat ?? undefined }
    const station = near(stations.value)
    if (station) return { kind: 'air', id: station.id, lon: station.lon, lat: station.lat }
    const unit = near(units.values())
    return unit && { kind: 'unit', id: unit.id, lon: unit.lon, lat: unit.lat }
  }
}

/** Returns the map of `city` drawn into `container` without WebGL. */
export function createView(container: HTMLElement, city: CityInfo, zone: Zone): CityView {
  return new FlatView(container, city, zone)
}
