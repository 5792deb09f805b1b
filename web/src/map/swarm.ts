// Vehicles in traffic, by the thousand: one buffer and one draw call, a dot from afar, an arrow along its heading close by.
import type { CustomLayerInterface, CustomRenderMethodInput, Map as GlMap } from 'maplibre-gl'
import { units, type Unit } from '../feed/live.ts'
import { at } from './scale.ts'
import { toUnit } from './mercator.ts'

/** Vehicles that only show how traffic moves: nobody dispatches them. */
export const isTraffic = (unit: Unit): boolean => unit.kind === 'probe' || unit.kind === 'bus'

const VERTEX = `#version 300 es
uniform mat4 matrix;
uniform float size;
uniform float bearing;
in vec2 place;
in float heading;
in float stale;
out vec2 turn;
out float faint;
void main() {
  gl_Position = matrix * vec4(place, 0.0, 1.0);
  gl_PointSize = size;
  float angle = radians(heading - bearing);
  turn = vec2(cos(angle), sin(angle));
  faint = stale;
}`

const FRAGMENT = `#version 300 es
precision highp float;
uniform float arrows;
uniform float size;
in vec2 turn;
in float faint;
out vec4 colour;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  float soft = 2.5 / size;
  vec2 q = vec2(p.x * turn.x + p.y * turn.y, p.y * turn.x - p.x * turn.y);
  float dot = 1.0 - smoothstep(0.85 - soft, 0.85, length(p));
  float arrow = max(abs(q.x) * 1.8 - (q.y + 0.9) * 0.62, q.y - 0.72 + abs(q.x) * -0.35);
  float inside = mix(dot, 1.0 - smoothstep(-soft, soft, arrow), arrows);
  float alpha = inside * mix(0.85, 0.45, faint);
  colour = vec4(vec3(0.74, 0.80, 0.87) * alpha, alpha);
}`

const ARROWS_FROM_ZOOM = 13.5
const FLOATS = 4

type Program = { [name in 'matrix' | 'size' | 'bearing' | 'arrows']: WebGLUniformLocation | null } & { program: WebGLProgram }

function built(gl: WebGL2RenderingContext): Program {
  const program = gl.createProgram()
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  ;['place', 'heading', 'stale'].forEach((name, n) => gl.bindAttribLocation(program, n, name))
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`vehicles: ${gl.getProgramInfoLog(program)}`)
  const found = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name)
  return { program, matrix: found('matrix'), size: found('size'), bearing: found('bearing'), arrows: found('arrows') }
}

/** The layer that draws them; `center` is the city's, from which places are measured so that floats suffice. */
export class Swarm implements CustomLayerInterface {
  readonly id = 'swarm'
  readonly type = 'custom' as const
  readonly renderingMode = '2d' as const
  visible = true
  private map: GlMap | undefined
  private program: Program | undefined
  private buffer: WebGLBuffer | null = null
  private state: WebGLVertexArrayObject | null = null
  private data = new Float32Array(0)
  private count = 0
  private fresh = false
  private readonly origin: readonly [number, number]

  constructor(center: readonly [number, number]) {
    this.origin = toUnit(center[0], center[1])
  }

  onAdd(map: GlMap, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    const gl2 = gl as WebGL2RenderingContext
    this.map = map
    this.program = built(gl2)
    this.buffer = gl2.createBuffer()
    this.state = gl2.createVertexArray()
    gl2.bindVertexArray(this.state)
    gl2.bindBuffer(gl2.ARRAY_BUFFER, this.buffer)
    for (const [n, size, offset] of [[0, 2, 0], [1, 1, 8], [2, 1, 12]] as const) {
      gl2.enableVertexAttribArray(n)
      gl2.vertexAttribPointer(n, size, gl2.FLOAT, false, FLOATS * 4, offset)
    }
    gl2.bindVertexArray(null)
    this.refresh()
  }

  /** Takes the vehicles as they are now. */
  refresh(): void {
    if (this.data.length < units.size * FLOATS) this.data = new Float32Array(units.size * FLOATS * 2)
    let n = 0
    for (const unit of units.values()) {
      if (!isTraffic(unit)) continue
      const [x, y] = toUnit(unit.lon, unit.lat)
      this.data[n++] = x - this.origin[0]
      this.data[n++] = y - this.origin[1]
      this.data[n++] = unit.heading
      this.data[n++] = unit.stale ? 1 : 0
    }
    this.count = n / FLOATS
    this.fresh = true
    this.map?.triggerRepaint()
  }

  render(gl: WebGLRenderingContext | WebGL2RenderingContext, { defaultProjectionData }: CustomRenderMethodInput): void {
    const { map, program } = this
    if (!map || !program || !this.visible || this.count === 0) return
    const gl2 = gl as WebGL2RenderingContext
    const zoom = map.getZoom() - at(0)
    const arrows = zoom >= ARROWS_FROM_ZOOM
    const scale = Number(map.getGlobalState()['scale'] ?? 1) * map.getPixelRatio()
    gl2.useProgram(program.program)
    gl2.uniformMatrix4fv(program.matrix, false, moved(defaultProjectionData.mainMatrix, this.origin))
    const size = scale * (arrows ? Math.min(20, 11 + (zoom - ARROWS_FROM_ZOOM) * 4) : Math.max(3, 3 + (zoom - 11) * 0.9))
    gl2.uniform1f(program.size, size)
    gl2.uniform1f(program.bearing, map.getBearing())
    gl2.uniform1f(program.arrows, arrows ? 1 : 0)
    gl2.bindVertexArray(this.state)
    if (this.fresh) {
      gl2.bindBuffer(gl2.ARRAY_BUFFER, this.buffer)
      gl2.bufferData(gl2.ARRAY_BUFFER, this.data.subarray(0, this.count * FLOATS), gl2.DYNAMIC_DRAW)
      this.fresh = false
    }
    gl2.drawArrays(gl2.POINTS, 0, this.count)
    gl2.bindVertexArray(null)
  }

  onRemove(_map: GlMap, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    gl.deleteBuffer(this.buffer)
    if (this.program) gl.deleteProgram(this.program.program)
  }
}

/** Returns `matrix` after a move by `x`, `y`: computed in doubles, for the sum of both is too fine for floats. */
function moved(matrix: ArrayLike<number>, [x, y]: readonly [number, number]): Float32Array {
  const m = Float64Array.from(matrix)
  for (let row = 0; row < 4; row++) m[12 + row]! += m[row]! * x + m[4 + row]! * y
  return Float32Array.from(m)
}
