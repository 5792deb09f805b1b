// All units, by the thousand: one buffer and one draw call. Vehicles in traffic are dots from afar and arrows close by,
// response units are chips with their icon.
import type { CustomLayerInterface, CustomRenderMethodInput, Map as GlMap } from 'maplibre-gl'
import { units, type Unit } from '../feed/live.ts'
import type { Icon } from './icons.ts'
import { toUnit } from './mercator.ts'
import { at } from './scale.ts'
import { unitChip } from './sprites.ts'

/** Vehicles that only show how traffic moves: nobody dispatches them. */
export const isTraffic = (unit: Unit): boolean => unit.kind === 'probe' || unit.kind === 'bus'

const VERTEX = `#version 300 es
uniform mat4 matrix;
uniform vec2 sizes;
uniform float bearing;
in vec2 place;
in float heading;
in float stale;
in float sprite;
out vec2 turn;
out float faint;
out float cell;
void main() {
  gl_Position = matrix * vec4(place, 0.0, 1.0);
  gl_PointSize = sprite < 0.0 ? sizes.x : sizes.y;
  float angle = radians(heading - bearing);
  turn = vec2(cos(angle), sin(angle));
  faint = stale;
  cell = sprite;
}`

const FRAGMENT = `#version 300 es
precision highp float;
uniform float arrows;
uniform vec2 sizes;
uniform float cells;
uniform sampler2D chips;
in vec2 turn;
in float faint;
in float cell;
out vec4 colour;
void main() {
  if (cell >= 0.0) {
    colour = texture(chips, vec2((cell + gl_PointCoord.x) / cells, gl_PointCoord.y));
    return;
  }
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  float soft = 2.5 / sizes.x;
  vec2 q = vec2(p.x * turn.x + p.y * turn.y, p.y * turn.x - p.x * turn.y);
  float dot = 1.0 - smoothstep(0.85 - soft, 0.85, length(p));
  float arrow = max(abs(q.x) * 1.8 - (q.y + 0.9) * 0.62, q.y - 0.72 + abs(q.x) * -0.35);
  float inside = mix(dot, 1.0 - smoothstep(-soft, soft, arrow), arrows);
  float alpha = inside * mix(0.85, 0.45, faint);
  colour = vec4(vec3(0.74, 0.80, 0.87) * alpha, alpha);
}`

const ARROWS_FROM_ZOOM = 13.5
/** Below this zoom response units are counted by cell instead (map/units.ts). */
export const AGGREGATED_BELOW = 12
const CHIP_PX = 26
const RESPONDERS: readonly Icon[] = ['police', 'fire', 'ambulance', 'sprinkler', 'crew', 'place']
const ATTRIBUTES = [['place', 2], ['heading', 1], ['stale', 1], ['sprite', 1]] as const // prettier-ignore
const FLOATS = 5
const UNIFORMS = ['matrix', 'sizes', 'bearing', 'arrows', 'cells', 'chips'] as const

type Uniforms = Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>

function built(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram()
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  ATTRIBUTES.forEach(([name], n) => gl.bindAttribLocation(program, n, name))
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`units: ${gl.getProgramInfoLog(program)}`)
  return program
}

/** Returns the chips of all kinds side by side: fresh ones, then stale ones. */
function chips(px: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(px * RESPONDERS.length * 2, px)
  const context = canvas.getContext('2d')!
  for (const [n, icon] of [...RESPONDERS, ...RESPONDERS].entries()) {
    context.setTransform(px / CHIP_PX, 0, 0, px / CHIP_PX, n * px, 0)
    unitChip(context, CHIP_PX, icon, n >= RESPONDERS.length)
  }
  return canvas
}

function cellOf({ kind, stale }: Unit): number {
  const found = RESPONDERS.indexOf(kind as Icon)
  return (found < 0 ? RESPONDERS.length - 1 : found) + (stale ? RESPONDERS.length : 0)
}

/** The layer that draws them; `center` is the city's, from which places are measured so that floats suffice. */
export class Swarm implements CustomLayerInterface {
  readonly id = 'swarm'
  readonly type = 'custom' as const
  readonly renderingMode = '2d' as const
  visible = true
  private map: GlMap | undefined
  private program: WebGLProgram | undefined
  private uniforms: Uniforms | undefined
  private buffer: WebGLBuffer | null = null
  private state: WebGLVertexArrayObject | null = null
  private texture: WebGLTexture | null = null
  private data = new Float32Array(0)
  private traffic = 0
  private count = 0
  private fresh = false
  private readonly origin: readonly [number, number]

  constructor(center: readonly [number, number]) {
    this.origin = toUnit(center[0], center[1])
  }

  onAdd(map: GlMap, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    const gl2 = gl as WebGL2RenderingContext
    this.map = map
    const program = built(gl2)
    this.program = program
    this.uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl2.getUniformLocation(program, name)])) as Uniforms
    this.buffer = gl2.createBuffer()
    this.state = gl2.createVertexArray()
    gl2.bindVertexArray(this.state)
    gl2.bindBuffer(gl2.ARRAY_BUFFER, this.buffer)
    let offset = 0
    for (const [n, [, size]] of ATTRIBUTES.entries()) {
      gl2.enableVertexAttribArray(n)
      gl2.vertexAttribPointer(n, size, gl2.FLOAT, false, FLOATS * 4, offset)
      offset += size * 4
    }
    gl2.bindVertexArray(null)
    this.refresh()
  }

  /** Takes the units as they are now: traffic first, so that responders are drawn over it. */
  refresh(): void {
    if (this.data.length < units.size * FLOATS) this.data = new Float32Array(units.size * FLOATS * 2)
    let n = 0
    for (const responding of [false, true]) {
      for (const unit of units.values()) {
        if (isTraffic(unit) === responding) continue
        const [x, y] = toUnit(unit.lon, unit.lat)
        this.data[n++] = x - this.origin[0]
        this.data[n++] = y - this.origin[1]
        this.data[n++] = unit.heading
        this.data[n++] = unit.stale ? 1 : 0
        this.data[n++] = responding ? cellOf(unit) : -1
      }
      if (!responding) this.traffic = n / FLOATS
    }
    this.count = n / FLOATS
    this.fresh = true
    this.map?.triggerRepaint()
  }

  render(gl: WebGLRenderingContext | WebGL2RenderingContext, { defaultProjectionData }: CustomRenderMethodInput): void {
    const { map, program, uniforms } = this
    if (!map || !program || !uniforms || !this.visible || this.count === 0) return
    const gl2 = gl as WebGL2RenderingContext
    const zoom = map.getZoom() - at(0)
    const arrows = zoom >= ARROWS_FROM_ZOOM
    const scale = Number(map.getGlobalState()['scale'] ?? 1) * map.getPixelRatio()
    const vehicle = arrows ? Math.min(20, 11 + (zoom - ARROWS_FROM_ZOOM) * 4) : Math.max(3, 3 + (zoom - 11) * 0.9)
    const chip = CHIP_PX * Math.min(1, Math.max(0.8, 0.8 + (zoom - AGGREGATED_BELOW) * 0.1))
    gl2.useProgram(program)
    gl2.uniformMatrix4fv(uniforms.matrix, false, moved(defaultProjectionData.mainMatrix, this.origin))
    gl2.uniform2f(uniforms.sizes, vehicle * scale, chip * scale)
    gl2.uniform1f(uniforms.bearing, map.getBearing())
    gl2.uniform1f(uniforms.arrows, arrows ? 1 : 0)
    gl2.uniform1f(uniforms.cells, RESPONDERS.length * 2)
    gl2.uniform1i(uniforms.chips, 0)
    gl2.activeTexture(gl2.TEXTURE0)
    if (this.texture) gl2.bindTexture(gl2.TEXTURE_2D, this.texture)
    else this.texture = uploaded(gl2, chips(Math.ceil(CHIP_PX * scale)))
    gl2.bindVertexArray(this.state)
    if (this.fresh) {
      gl2.bindBuffer(gl2.ARRAY_BUFFER, this.buffer)
      gl2.bufferData(gl2.ARRAY_BUFFER, this.data.subarray(0, this.count * FLOATS), gl2.DYNAMIC_DRAW)
      this.fresh = false
    }
    gl2.drawArrays(gl2.POINTS, 0, zoom < AGGREGATED_BELOW ? this.traffic : this.count)
    gl2.bindVertexArray(null)
  }

  onRemove(_map: GlMap, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    gl.deleteBuffer(this.buffer)
    gl.deleteTexture(this.texture)
    if (this.program) gl.deleteProgram(this.program)
  }
}

function uploaded(gl: WebGL2RenderingContext, picture: OffscreenCanvas): WebGLTexture {
  const texture = gl.createTexture()
  gl.bindTexture(gl.TEXTURE_2D, texture)
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true)
  gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false)
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture)
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE)
  for (const size of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, size, gl.LINEAR)
  return texture
}

/** Returns `matrix` after a move by `x`, `y`: computed in doubles, for the sum of both is too fine for floats. */
function moved(matrix: ArrayLike<number>, [x, y]: readonly [number, number]): Float32Array {
  const m = Float64Array.from(matrix)
  for (let row = 0; row < 4; row++) m[12 + row]! += m[row]! * x + m[4 + row]! * y
  return Float32Array.from(m)
}
