import { ApiError, queryError } from './api-error.ts'

/** The page of the older routes that carry it in their path (protocol 03 §4.1). */
export function pageInPath(text: string): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw new ApiError(400, 'invalid_page', `Invalid page value in path: ${text.slice(0, 100)}`, {
      path: 'path.page',
    })
  }
  if (Number(text) < 1) throw queryError('page', 'Page number must be greater than 1.')
  return Number(text)
}
