/** Objects that pass for one of Node's own web objects, which is made only when they cannot answer by themselves. */

/**
 * Gives a class the face of a native one: what it does not define itself it asks of the native object.
 *
 * @param {Function} Class
 * @param {Function} Native
 * @param {(standIn: any) => any} toNative Makes the native object at the first call, and brings it up to date later.
 */
export function passFor(Class, Native, toNative) {
  for (const key of Reflect.ownKeys(Native.prototype)) {
    const native = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(Native.prototype, key))
    const own = Object.getOwnPropertyDescriptor(Class.prototype, key) ?? delegate(key, native, toNative)
    if (own) Object.defineProperty(Class.prototype, key, { ...own, enumerable: native.enumerable })
  }
  delete Class.prototype.constructor
  Object.setPrototypeOf(Class.prototype, Native.prototype)
}

/** @param {PropertyKey} key @param {PropertyDescriptor} native @param {(standIn: any) => any} toNative */
function delegate(key, native, toNative) {
  if (native.get) {
    return {
      configurable: true,
      get() {
        return toNative(this)[key]
      },
    }
  }
  if (typeof native.value !== 'function') return null
  return {
    configurable: true,
    writable: true,
    /** @param {unknown[]} args */
    value(...args) {
      return toNative(this)[key](...args)
    },
  }
}

/** Makes headers the same as others. @param {Headers} headers @param {Headers} others */
export function replaceHeaders(headers, others) {
  for (const name of [...headers.keys()]) headers.delete(name)
  for (const [name, value] of others) headers.append(name, value)
}
