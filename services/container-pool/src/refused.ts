/** Something that the one who asks has to change; told to it, and no fault of this service. */
export class Refused extends Error {}
