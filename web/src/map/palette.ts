// The map's colours: grey-blue for what is normal, saturated only for what is not.
import type { Severity } from '../api/types.ts'

export const GROUND = '#0a1119'
export const WATER = '#10283a'
export const GREEN = '#10241f'
export const LABEL = '#c9d5e2'
export const LABEL_DIM = '#8fa1b5'
export const HALO = 'rgba(6, 11, 17, 0.92)'
export const CHOSEN = '#f4f7fa'
export const UNIT = '#b9c8d8'
export const UNIT_STALE = '#5d6b7a'

/** Fill by emergency level I–IV (突发事件应对法). */
export const SEVERITY: Readonly<Record<Severity, string>> = { 1: '#ef4444', 2: '#f08a3c', 3: '#e6bd45', 4: '#5b9bea' }

/** Line colour of congested levels of service; 1 and 2 keep the road's own slate. */
export const CONGESTED: Readonly<Record<3 | 4 | 5, string>> = { 3: '#e3b341', 4: '#f0813a', 5: '#e5383f' }

/** AQI levels from 轻度污染 on; 优 and 良 are normal. */
export const POLLUTED: Readonly<Record<number, string>> = { 3: '#e3b341', 4: '#f0813a', 5: '#e5383f', 6: '#b5446e' }

/** Road classes from the widest to the narrowest: measured and unmeasured slate, width in pixels at zoom 11 and 17. */
export const ROADS = [
  { id: 'motorway', classes: ['motorway', 'motorway_link', 'trunk', 'trunk_link'], slate: '#587089', idle: '#41566b', at11: 2.6, at17: 15 },
  { id: 'primary', classes: ['primary', 'primary_link'], slate: '#4a627b', idle: '#364a5f', at11: 1.7, at17: 12 },
  { id: 'secondary', classes: ['secondary', 'secondary_link'], slate: '#3d5369', idle: '#2c3e50', at11: 1.15, at17: 9 },
  { id: 'tertiary', classes: ['tertiary', 'tertiary_link'], slate: '#34475b', idle: '#253545', at11: 0.8, at17: 7 },
  { id: 'street', classes: [], slate: '#2b3b4c', idle: '#1d2a38', at11: 0.45, at17: 5 },
] as const
