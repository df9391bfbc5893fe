/** Whether `If-None-Match` lists a tag. */
export function namesTag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((each) => [etag, `W/${etag}`, '*'].includes(each.trim()))
}
