// The charting library, cut to what the panels draw, and the look they share. Always loaded lazily.
import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, GridComponent, MarkLineComponent, MarkPointComponent } from 'echarts/components'
import { init, use, type EChartsCoreOption, type EChartsType } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { rem } from '../map/zone.ts'

use([BarChart, LineChart, GridComponent, MarkLineComponent, MarkPointComponent, AriaComponent, CanvasRenderer])

export const INK = '#b3c1cf'
export const FAINT = '#8d9dae'
export const RULE = 'rgba(148, 172, 198, 0.13)'
export const LINE = '#b7cbe0'
export const BAR = '#4a627b'
export const BAR_NOW = '#7d97b2'
export const WARN = '#e6bd45'

/** Text of axes: the wall's smallest size. */
export const label = (): { color: string; fontSize: number; fontFamily: string } => ({
  color: FAINT,
  fontSize: Math.round(smallest() * rem()),
  fontFamily: 'City, "City Rest", sans-serif',
})

const smallest = (): number => parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--text-s'))

/** A chart of an hour or a day is drawn anew this often at most. */
const REDRAW_MS = 5_000

/** Returns a chart in `element` that keeps to its size. */
export async function chartIn(element: HTMLElement): Promise<{ draw: (option: EChartsCoreOption) => void; close: () => void }> {
  await document.fonts.load('16px City', '0时')
  const chart: EChartsType = init(element, undefined, { renderer: 'canvas' })
  let option: EChartsCoreOption | undefined
  let drawnAt = -Infinity
  let due: ReturnType<typeof setTimeout> | undefined
  const paint = (): void => {
    due = undefined
    drawnAt = performance.now()
    if (option) chart.setOption(option)
  }
  const observer = new ResizeObserver(() => {
    chart.resize()
    paint()
  })
  observer.observe(element)
  return {
    draw: (next) => {
      option = next
      due ??= setTimeout(paint, Math.max(0, drawnAt + REDRAW_MS - performance.now()))
    },
    close: () => {
      clearTimeout(due)
      observer.disconnect()
      chart.dispose()
    },
  }
}
