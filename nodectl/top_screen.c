/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "top.h"

enum { LINE = 512, NAME_WIDTH = 24, HEAD = 3, KEY_ESCAPE = 033, KEY_CTRL_L = 014 };

#define MUTE_MAX 100u /* rounds in which there are keys, and none comes */

enum mode { MODE_TABLE, MODE_DETAILS, MODE_HELP, MODE_FILTER, MODE_DELAY };

struct screen {
	struct top *top;
	double seconds;		 /* between two looks */
	unsigned long long next; /* look, in milliseconds */
	bool held;		 /* nothing moves */
	enum mode mode;
	char selected[64]; /* name, or "" */
	size_t first;	   /* line of the table that is the first on the screen */
	char typed[64];	   /* in MODE_FILTER and MODE_DELAY */
	char note[80];	   /* what was wrong with what was typed */
};

static const struct {
	const char *key, *what;
} keys[] = {
	{ "q", "quit" },	{ "< >", "sort" },  { "r", "reverse" },
	{ "/", "filter" },	{ "d", "delay" },   { "space", "hold" },
	{ "enter", "details" }, { "i", "running" }, { "h", "help" },
};

static const char *const help[] = {
	"> or right, < or left   sort by the next or the previous column",
	"r                       the other way round",
	"/                       show only names with what is typed in them",
	"i                       show only VPSs that run, or all",
	"d, + and -              seconds between two looks",
	"space                   hold, and go on",
	"up, down, pages, home, end   choose a VPS",
	"enter                   all about it; once more: back to the table",
	"Ctrl-L                  draw anew",
	"q, Ctrl-C               quit",
	"",
	"CPU% and CAP% are of one CPU; HELD% the part of the cap's periods in which it",
	"held the VPS back; WAIT%, MWAIT% and DISK% parts of the time in which something",
	"in it waited for CPU, memory or a disk.  Sizes are bytes, speeds bytes a second.",
};

static void line_put(int row, const char *text, attr_t attributes)
{
	int width = row == LINES - 1 ? COLS - 1 : COLS;

	if (row >= LINES)
		return;
	attrset(attributes);
	/* to the end of the line, so that a bar is one; but the last place of the screen would
	 * scroll some */
	mvprintw(row, 0, "%-*.*s", width, width, text);
	attrset(A_NORMAL);
}

static size_t rows_of_table(void)
{
	return LINES > HEAD + 1 ? (size_t)(LINES - HEAD - 1) : 0;
}

/* Where the chosen VPS is in the table, or -1. */
static ssize_t selected_index(const struct screen *screen)
{
	for (size_t i = 0; i < screen->top->shown_count; i++) {
		if (strcmp(screen->top->shown[i]->name, screen->selected) == 0)
			return (ssize_t)i;
	}
	return -1;
}

/* The chosen one stays on the screen, and no room is left empty. */
static void scroll_fit(struct screen *screen)
{
	size_t rows = rows_of_table(), count = screen->top->shown_count;
	ssize_t selected = selected_index(screen);

	if (selected >= 0 && (size_t)selected < screen->first)
		screen->first = (size_t)selected;
	if (selected >= 0 && rows && (size_t)selected >= screen->first + rows)
		screen->first = (size_t)selected - rows + 1;
	if (screen->first + rows > count)
		screen->first = count > rows ? count - rows : 0;
}

static int name_width(const struct top *top)
{
	return top->name_width < NAME_WIDTH ? top->name_width : NAME_WIDTH;
}

static void table_draw(struct screen *screen)
{
	const struct top *top = screen->top;
	char text[LINE];

	scroll_fit(screen);
	top_header_print(top, name_width(top), true, text, sizeof(text));
	line_put(2, text, A_REVERSE);
	for (size_t row = 0; row < rows_of_table(); row++) {
		size_t i = screen->first + row;

		if (i >= top->shown_count)
			break;
		top_line_print(top->shown[i], name_width(top), text, sizeof(text));
		line_put(HEAD + (int)row, text,
			 strcmp(top->shown[i]->name, screen->selected) == 0
			     ? A_BOLD | A_STANDOUT
			     : A_NORMAL);
	}
}

static void details_draw(struct screen *screen)
{
	own_str text = top_details(screen->top, screen->selected);
	char *rest = text, *line;

	for (int row = HEAD; row < LINES - 1 && (line = strsep(&rest, "\n")); row++)
		line_put(row, line, A_NORMAL);
}

static void head_draw(const struct screen *screen)
{
	const struct top *top = screen->top;
	char text[LINE], now[16];
	time_t when = time(NULL);
	struct tm tm;

	localtime_r(&when, &tm);
	strftime(now, sizeof(now), "%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "nodectl top - %s, every %gs%s%s%s%s", now,
		 screen->seconds, top->choice.filter[0] ? ", names with " : "",
		 top->choice.filter, top->choice.running ? ", running only" : "",
		 screen->held ? ", HELD (space goes on)" : "");
	line_put(0, text, A_BOLD);
	top_summary(top, text, sizeof(text));
	line_put(1, text, A_NORMAL);
}

static void foot_draw(const struct screen *screen)
{
	char text[LINE] = "";
	size_t used = 0;

	if (screen->mode == MODE_FILTER || screen->mode == MODE_DELAY) {
		snprintf(text, sizeof(text), "%s: %s_",
			 screen->mode == MODE_FILTER ? "only names with" : "seconds",
			 screen->typed);
		line_put(LINES - 1, text, A_BOLD);
		return;
	}
	if (screen->note[0]) {
		line_put(LINES - 1, screen->note, A_BOLD);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys) && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
					 used ? "  " : "", keys[i].key, keys[i].what);
	line_put(LINES - 1, text, A_REVERSE);
}

/* Curses sends the terminal only what is new: nothing flickers. */
static void draw(struct screen *screen)
{
	erase();
	head_draw(screen);
	if (screen->mode == MODE_DETAILS)
		details_draw(screen);
	else if (screen->mode == MODE_HELP)
		for (size_t i = 0; i < ARRAY_SIZE(help) && HEAD + (int)i < LINES - 1; i++)
			line_put(HEAD + (int)i, help[i], A_NORMAL);
	else
		table_draw(screen);
	foot_draw(screen);
	refresh();
}

static void select_move(struct screen *screen, long by)
{
	const struct top *top = screen->top;
	ssize_t at = selected_index(screen);
	long to = at < 0 ? (by < 0 ? (long)top->shown_count - 1 : (long)screen->first)
			 : (long)at + by;

	if (!top->shown_count)
		return;
	if (to < 0)
		to = 0;
	if (to >= (long)top->shown_count)
		to = (long)top->shown_count - 1;
	strcpy(screen->selected, top->shown[to]->name);
}

static void sort_move(struct screen *screen, int by)
{
	/* NAME and STATE are in front of the others */
	int count = (int)top_columns_count - TOP_BY_STATE, sort = screen->top->choice.sort;
	int at = sort >= 0 ? sort + 2 : -1 - sort;

	do {
		at = (at + by + count) % count;
	} while (at >= 2 && !top_columns[at - 2].width);
	screen->top->choice.sort = at >= 2 ? at - 2 : -1 - at;
	screen->top->choice.reverse = false;
	top_arrange(screen->top);
}

static void typed_take(struct screen *screen)
{
	char *end;
	double seconds;

	if (screen->mode == MODE_FILTER) {
		strcpy(screen->top->choice.filter, screen->typed);
		top_arrange(screen->top);
	} else if (screen->typed[0]) {
		seconds = strtod(screen->typed, &end);
		if (*end || !(seconds >= 0.1 && seconds <= 3600))
			snprintf(screen->note, sizeof(screen->note),
				 "'%.30s' is not between 0.1 and 3600 seconds", screen->typed);
		else
			screen->seconds = seconds;
		screen->next = 0;
	}
	screen->mode = MODE_TABLE;
}

static void key_typed(struct screen *screen, int key)
{
	size_t len = strlen(screen->typed);

	if (key == '\n' || key == '\r' || key == KEY_ENTER)
		typed_take(screen);
	else if (key == KEY_ESCAPE)
		screen->mode = MODE_TABLE;
	else if (len && (key == KEY_BACKSPACE || key == '\b' || key == 0177))
		screen->typed[len - 1] = 0;
	else if (key > ' ' && key < 0177 && len + 1 < 32)
		screen->typed[len] = (char)key, screen->typed[len + 1] = 0;
}

static void type_begin(struct screen *screen, enum mode mode)
{
	screen->mode = mode;
	memset(screen->typed, 0, sizeof(screen->typed));
	if (mode == MODE_FILTER)
		strcpy(screen->typed, screen->top->choice.filter);
}

static void delay_change(struct screen *screen, double by)
{
	double seconds = screen->seconds + by;

	screen->seconds = seconds < 1 ? 1 : seconds > 3600 ? 3600 : seconds;
	screen->next = 0;
}

/* true: enough */
static bool key_take(struct screen *screen, int key)
{
	long page = (long)rows_of_table();

	screen->note[0] = 0;
	if (key == KEY_RESIZE)
		return false;
	if (key == KEY_CTRL_L) {
		clearok(curscr, TRUE);
		return false;
	}
	if (screen->mode == MODE_FILTER || screen->mode == MODE_DELAY) {
		key_typed(screen, key);
		return false;
	}
	switch (key) {
	case 'q':
	case KEY_ESCAPE:
		if (screen->mode == MODE_TABLE)
			return key == 'q';
		screen->mode = MODE_TABLE;
		return false;
	case 'h':
	case '?':
		screen->mode = screen->mode == MODE_HELP ? MODE_TABLE : MODE_HELP;
		return false;
	case '\n':
	case '\r':
	case KEY_ENTER:
		if (screen->mode == MODE_TABLE && !screen->selected[0])
			select_move(screen, 0);
		screen->mode = screen->mode == MODE_TABLE && screen->selected[0] ? MODE_DETAILS
										 : MODE_TABLE;
		return false;
	case '>':
	case KEY_RIGHT:
		sort_move(screen, 1);
		return false;
	case '<':
	case KEY_LEFT:
		sort_move(screen, -1);
		return false;
	case 'r':
		screen->top->choice.reverse = !screen->top->choice.reverse;
		top_arrange(screen->top);
		return false;
	case 'i':
		screen->top->choice.running = !screen->top->choice.running;
		top_arrange(screen->top);
		return false;
	case '/':
		type_begin(screen, MODE_FILTER);
		return false;
	case 'd':
		type_begin(screen, MODE_DELAY);
		return false;
	case '+':
	case '-':
		delay_change(screen, key == '+' ? 1 : -1);
		return false;
	case ' ':
		screen->held = !screen->held;
		screen->next = 0;
		return false;
	case KEY_UP:
		select_move(screen, -1);
		return false;
	case KEY_DOWN:
		select_move(screen, 1);
		return false;
	case KEY_PPAGE:
		select_move(screen, -page);
		return false;
	case KEY_NPAGE:
		select_move(screen, page);
		return false;
	case KEY_HOME:
		select_move(screen, -(long)screen->top->shown_count);
		return false;
	case KEY_END:
		select_move(screen, (long)screen->top->shown_count);
		return false;
	default:
		return false;
	}
}

static int look(struct screen *screen, struct err *err)
{
	unsigned long long now = now_ms();

	if (screen->held || now < screen->next)
		return 0;
	if (top_look(screen->top, err) < 0)
		return -1;
	screen->next = now + (unsigned long long)(screen->seconds * 1000);
	return 0;
}

/* Until q or one of @signals. */
static int run(struct screen *screen, int signals, int *signal, struct err *err)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };

	/* the first speeds soon, whatever the interval */
	if (top_look(screen->top, err) < 0)
		return -1;
	screen->next = now_ms() + (screen->seconds < 0.5 ? 100 : 500);
	for (unsigned mute = 0;;) {
		struct signalfd_siginfo info;
		unsigned long long now = now_ms();
		int wait = screen->held ? -1 : 0;
		int key;

		draw(screen);
		if (!screen->held && screen->next > now)
			wait = (int)(screen->next - now);
		/* a new size of the window ends it too, and comes as a key */
		if (poll(fds, ARRAY_SIZE(fds), wait) < 0 && errno != EINTR)
			return fail(err, errno, "cannot wait for a key");
		if (fds[1].revents & POLLIN) {
			if (read(signals, &info, sizeof(info)) != sizeof(info))
				return fail(err, errno, "cannot read signals");
			*signal = (int)info.ssi_signo;
			return 0;
		}
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			return 0;
		mute = fds[0].revents ? mute + 1 : 0;
		while ((key = getch()) != ERR) {
			mute = 0;
			if (key_take(screen, key))
				return 0;
		}
		if (mute == MUTE_MAX)
			return fail_as(err, ERR_SYSTEM, "cannot read keys");
		if (look(screen, err) < 0)
			return -1;
	}
}

/* Also when memory has run out, which ends the process where it stands. */
static void leave(void)
{
	if (stdscr && !isendwin())
		endwin();
}

static const struct {
	const char *text;
	int key;
} cursor_keys[] = {
	{ "\033[A", KEY_UP },
	{ "\033[B", KEY_DOWN },
	{ "\033[C", KEY_RIGHT },
	{ "\033[D", KEY_LEFT },
};

/* Can the cursor be placed on it? */
static bool can_draw(void)
{
	const char *place = tigetstr((char *)"cup");

	return place && place != (char *)-1;
}

int top_screen(struct top *top, double seconds, int *signal, struct err *err)
{
	struct screen screen = { .top = top, .seconds = seconds };
	sigset_t ends, before;
	SCREEN *terminal;
	int result;

	/* only of characters: numbers are written as everywhere else */
	(void)setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return 1;
	if (!can_draw()) {
		endwin();
		delscreen(terminal);
		return 1;
	}
	(void)atexit(leave);

	/* whatever ends us is taken here, so that the terminal is left as it was */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGQUIT);
	sigprocmask(SIG_BLOCK, &ends, &before);
	own_fd signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);

	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	/* as they come from a terminal that is not in its application mode */
	for (size_t i = 0; i < ARRAY_SIZE(cursor_keys); i++)
		(void)define_key(cursor_keys[i].text, cursor_keys[i].key);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	(void)curs_set(0);
	result = signals < 0 ? fail(err, errno, "cannot wait for signals")
			     : run(&screen, signals, signal, err);
	endwin();
	delscreen(terminal);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
