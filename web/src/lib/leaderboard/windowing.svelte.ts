/** Which rows of a long table are near the screen: only those are in the document. */

/** Shorter tables are in the document whole, so that the browser's own search finds everything in them. */
const WHOLE_UP_TO = 300;
/** Rows beyond the screen on either side, for fast scrolling and for the keyboard. */
const MARGIN = 12;

export class RowWindow {
    /** First row in the document. */
    first = $state(0);
    /** The row after the last one in the document. */
    end = $state(0);
    /** Pixels. */
    rowHeight = $state(52);
    #body: HTMLElement | undefined;
    #count: () => number;

    constructor(count: () => number) {
        this.#count = count;
    }

    /** Follows the scrolling of the page, for the table whose rows are in `body`; an attachment. */
    attach = (body: HTMLElement): (() => void) => {
        this.#body = body;
        let waiting = false;
        const later = (): void => {
            if (waiting) return;
            waiting = true;
            requestAnimationFrame(() => {
                waiting = false;
                this.update();
            });
        };
        this.update();
        window.addEventListener('scroll', later, { passive: true });
        window.addEventListener('resize', later);
        return () => {
            window.removeEventListener('scroll', later);
            window.removeEventListener('resize', later);
        };
    };

    update(): void {
        const count = this.#count();
        if (count <= WHOLE_UP_TO || !this.#body) {
            this.first = 0;
            this.end = Math.min(count, WHOLE_UP_TO);
            return;
        }
        const row = this.#body.querySelector('tr[data-row]');
        if (row) this.rowHeight = row.getBoundingClientRect().height;
        const top = -this.#body.getBoundingClientRect().top;
        const onScreen = Math.ceil(window.innerHeight / this.rowHeight);
        const last = Math.max(0, count - onScreen);
        this.first = Math.min(last, Math.max(0, Math.floor(top / this.rowHeight) - MARGIN));
        this.end = Math.min(count, this.first + onScreen + 2 * MARGIN);
    }

    /** Brings a row to the middle of the screen. */
    scrollTo(index: number): void {
        if (!this.#body) return;
        const row = this.#body.querySelectorAll('tr[data-row]')[index - this.first];
        if (row) return row.scrollIntoView({ block: 'center' });
        const top = this.#body.getBoundingClientRect().top + window.scrollY;
        window.scrollTo({ top: top + index * this.rowHeight - window.innerHeight / 2 });
        this.update();
    }
}
