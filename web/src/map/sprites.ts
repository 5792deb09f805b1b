// The map's sprites, drawn once from the icons at the screen's own resolution.
import type { Map as GlMap } from 'maplibre-gl'
import { ICONS, NUMERALS, SEVERITY_SHAPES, type Icon } from './icons.ts'
import { LABEL_DIM, POLLUTED, SEVERITY, UNIT_STALE } from './palette.ts'

const FIELD = 24

function drawn(size: number, ratio: number, draw: (context: CanvasRenderingContext2D) => void): ImageData {
  const canvas = new OffscreenCanvas(Math.ceil(size * ratio), Math.ceil(size * ratio))
  const context = canvas.getContext('2d') as unknown as CanvasRenderingContext2D
  context.scale(ratio, ratio)
  draw(context)
  return (context as unknown as OffscreenCanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height)
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D

function chip(context: Context, size: number, icon: Icon, ink: string, edge: string, round: boolean): void {
  context.beginPath()
  context.roundRect(1, 1, size - 2, size - 2, round ? size / 2 : size / 5)
  context.fillStyle = 'rgba(13, 21, 31, 0.94)'
  context.fill()
  context.lineWidth = 1.4
  context.strokeStyle = edge
  context.stroke()
  const inner = size * 0.62
  context.translate((size - inner) / 2, (size - inner) / 2)
  context.scale(inner / FIELD, inner / FIELD)
  context.fillStyle = ink
  context.fill(new Path2D(ICONS[icon]), 'evenodd')
}

/** Draws a response unit on a field of `size`. */
export function unitChip(context: Context, size: number, icon: Icon, stale: boolean): void {
  chip(context, size, icon, stale ? UNIT_STALE : '#dbe4ed', stale ? UNIT_STALE : '#8ea2b7', false)
}

function badge(context: CanvasRenderingContext2D, size: number, level: 1 | 2 | 3 | 4): void {
  const inner = size - 6
  context.translate(3, 3)
  context.scale(inner / FIELD, inner / FIELD)
  const shape = new Path2D(SEVERITY_SHAPES[level])
  context.lineJoin = 'round'
  context.lineWidth = 3.4
  context.strokeStyle = 'rgba(7, 12, 18, 0.95)'
  context.stroke(shape)
  context.fillStyle = SEVERITY[level]
  context.fill(shape)
  context.fillStyle = '#0a0f15'
  context.font = `600 ${[16, 13, 12, 13][level - 1]}px City`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(NUMERALS[level], 12, level === 3 ? 16 : 12.6)
}

function disc(context: CanvasRenderingContext2D, size: number, fill: string, edge: string): void {
  context.beginPath()
  context.arc(size / 2, size / 2, size / 2 - 1.5, 0, Math.PI * 2)
  context.fillStyle = fill
  context.fill()
  context.lineWidth = 1.6
  context.strokeStyle = edge
  context.stroke()
}

/** Adds every sprite to the map; `scale` is the wall's size against 1080p. */
export function addSprites(map: GlMap, scale: number): void {
  const ratio = Math.max(1, devicePixelRatio) * scale * 1.5
  const add = (name: string, size: number, draw: (context: CanvasRenderingContext2D) => void): void => {
    if (!map.hasImage(name)) map.addImage(name, drawn(size, ratio, draw), { pixelRatio: ratio / scale })
  }
  for (const icon of Object.keys(ICONS) as Icon[]) {
    add(`place-${icon}`, 20, (c) => chip(c, 20, icon, LABEL_DIM, '#35475a', true))
  }
  for (const level of [1, 2, 3, 4] as const) add(`alert-${level}`, 44, (c) => badge(c, 44, level))
  add('air-normal', 40, (c) => disc(c, 40, 'rgba(13, 21, 31, 0.9)', '#6f849a'))
  add('air-stale', 40, (c) => disc(c, 40, 'rgba(13, 21, 31, 0.9)', '#3b4958'))
  for (const [level, colour] of Object.entries(POLLUTED)) add(`air-${level}`, 40, (c) => disc(c, 40, 'rgba(20, 18, 14, 0.94)', colour))
}
