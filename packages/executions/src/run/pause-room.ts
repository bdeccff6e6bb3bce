/** Sandboxes that may be kept frozen at once; each holds up to its memory limit. */
export interface PauseRoom {
  take(): boolean;
  giveBack(): void;
  used(): number;
}

export function createPauseRoom(maximum: number): PauseRoom {
  let used = 0;
  return {
    take() {
      if (used >= maximum) return false;
      used += 1;
      return true;
    },
    giveBack() {
      used -= 1;
    },
    used: () => used,
  };
}
