// placeholder for type check
export { createView } from './glmap.ts'
