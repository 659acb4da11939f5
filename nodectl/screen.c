/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screen.h"

#include <ctype.h>
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "top.h"

/* Two lines above the table, one below. */
enum { ABOVE = 2, BELOW = 1, MOST_DELAY = 3600 };

struct screen {
	struct top *top;
	struct looking *looking;
	SCREEN *terminal;
	char filter[64]; /* only names with that in them */
	bool filtering;	 /* it is being typed */
	bool paused;
	size_t first; /* line at the top */
	size_t shown; /* how many there are */
};

static bool is_wanted(const struct screen *screen, const struct top_row *row)
{
	return !screen->filter[0] || strstr(row->name, screen->filter);
}

static void line_put(int y, const char *text, attr_t attributes)
{
	move(y, 0);
	clrtoeol();
	(void)attrset((int)attributes);
	addnstr(text, COLS);
	(void)attrset(A_NORMAL);
}

/* The column that it is sorted by stands out. */
static void heading_draw(const struct screen *screen)
{
	char text[512];
	int x = 0;

	top_heading(text, sizeof(text));
	line_put(1, text, A_REVERSE);
	for (size_t i = 0; i < top_columns_count; i++) {
		const struct top_column *column = &top_columns[i];
		int width = column->width < 0 ? -column->width : column->width;

		if (column == screen->looking->sort && x + width <= COLS)
			mvchgat(1, x, width, A_REVERSE | A_BOLD | A_UNDERLINE, 0, NULL);
		x += width + 1;
	}
}

static void footer_draw(const struct screen *screen)
{
	char text[256];

	if (screen->filtering)
		snprintf(text, sizeof(text), "only names with: %s_", screen->filter);
	else
		snprintf(text, sizeof(text),
			 "q quit  < > sort  r reverse  / filter%s%s  + - every %us  space %s",
			 screen->filter[0] ? ": " : "", screen->filter, screen->looking->delay,
			 screen->paused ? "go on" : "hold");
	line_put(LINES - 1, text, A_BOLD);
}

static void draw(struct screen *screen)
{
	const struct top *top = screen->top;
	size_t room = LINES > ABOVE + BELOW ? (size_t)(LINES - ABOVE - BELOW) : 0;
	size_t seen = 0;
	char text[512];
	int y = ABOVE;

	screen->shown = 0;
	for (size_t i = 0; i < top->count; i++)
		screen->shown += is_wanted(screen, &top->rows[i]);
	if (screen->first + room > screen->shown)
		screen->first = screen->shown > room ? screen->shown - room : 0;

	top_summary(top, text, sizeof(text));
	line_put(0, text, A_NORMAL);
	heading_draw(screen);
	for (size_t i = 0; i < top->count && y < LINES - BELOW; i++) {
		const struct top_row *row = &top->rows[i];

		if (!is_wanted(screen, row) || seen++ < screen->first)
			continue;
		top_line(row, text, sizeof(text));
		line_put(y++, text, row->started ? A_NORMAL : A_DIM);
	}
	for (; y < LINES - BELOW; y++)
		line_put(y, "", A_NORMAL);
	footer_draw(screen);
	refresh();
}

static void sort_move(struct screen *screen, int by)
{
	size_t at = (size_t)(screen->looking->sort - top_columns);

	at = (at + top_columns_count + (size_t)by) % top_columns_count;
	screen->looking->sort = &top_columns[at];
}

static void filter_key(struct screen *screen, int key)
{
	size_t len = strlen(screen->filter);

	if (key == '\n' || key == KEY_ENTER) {
		screen->filtering = false;
	} else if (key == 27) {
		screen->filtering = false;
		screen->filter[0] = 0;
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		screen->filter[len ? len - 1 : 0] = 0;
	} else if (key > 0 && key < 128 && isgraph(key) && len + 1 < sizeof(screen->filter)) {
		screen->filter[len] = (char)key;
		screen->filter[len + 1] = 0;
	}
}

static void scroll_by(struct screen *screen, int lines)
{
	if (lines < 0 && screen->first < (size_t)-lines)
		screen->first = 0;
	else
		screen->first += (size_t)lines;
}

/* false: the user has had enough */
static bool key_do(struct screen *screen, int key)
{
	struct looking *looking = screen->looking;

	if (screen->filtering) {
		filter_key(screen, key);
		return true;
	}
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case '<':
	case KEY_LEFT:
		sort_move(screen, -1);
		break;
	case '>':
	case KEY_RIGHT:
		sort_move(screen, 1);
		break;
	case 'r':
		looking->reverse = !looking->reverse;
		break;
	case '/':
		screen->filtering = true;
		screen->filter[0] = 0;
		break;
	case '+':
		looking->delay += looking->delay < MOST_DELAY;
		break;
	case '-':
		looking->delay -= looking->delay > 1;
		break;
	case ' ':
		screen->paused = !screen->paused;
		break;
	case KEY_UP:
		scroll_by(screen, -1);
		break;
	case KEY_DOWN:
		scroll_by(screen, 1);
		break;
	case KEY_PPAGE:
		scroll_by(screen, -(LINES - ABOVE - BELOW));
		break;
	case KEY_NPAGE:
		scroll_by(screen, LINES - ABOVE - BELOW);
		break;
	case KEY_HOME:
		screen->first = 0;
		break;
	default:
		break;
	}
	return true;
}

static bool keys_read(struct screen *screen)
{
	int key;

	while ((key = getch()) != ERR) {
		if (!key_do(screen, key))
			return false;
	}
	return true;
}

/* Until the next look is due, a key was pressed, or it is over (false). */
static bool wait_for(struct screen *screen, int signals, uint64_t due)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };
	uint64_t now = now_ms();

	/* EINTR is a new size of the window, which getch() tells as a key */
	(void)poll(fds, ARRAY_SIZE(fds), now < due ? (int)(due - now) : 0);
	if (fds[1].revents) {
		struct signalfd_siginfo taken;

		/* it has done its work: unblocked later, curses' own handler would meet it */
		(void)!read(signals, &taken, sizeof(taken));
		return false;
	}
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		return false;
	return keys_read(screen);
}

static int loop(struct screen *screen, int signals, struct err *err)
{
	struct looking *looking = screen->looking;
	uint64_t due;

	do {
		due = screen->top->at + looking->delay * 1000ull;
		if (!screen->paused && now_ms() >= due && top_look(screen->top, err) < 0)
			return -1;
		top_sort(screen->top, looking->sort, looking->reverse);
		draw(screen);
		due = screen->paused ? now_ms() + 60000
				     : screen->top->at + looking->delay * 1000ull;
	} while (wait_for(screen, signals, due));
	return 0;
}

int screen_run(struct top *top, struct looking *looking, struct err *err)
{
	struct screen screen = { .top = top, .looking = looking };
	sigset_t ends, before;
	int result;

	/* they come by a descriptor, so that the terminal is put right before we end */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &ends, &before) < 0)
		return fail(err, errno, "cannot block signals");
	own_fd signals = signalfd(-1, &ends, SFD_CLOEXEC);
	if (signals < 0)
		return fail(err, errno, "cannot wait for signals");

	screen.terminal = newterm(NULL, stdout, stdin);
	if (!screen.terminal)
		return fail_as(
		    err, ERR_SYSTEM,
		    "cannot use this terminal (TERM); 'nodectl top --batch' needs none");
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	(void)curs_set(0);

	result = loop(&screen, signals, err);
	endwin();
	delscreen(screen.terminal);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
