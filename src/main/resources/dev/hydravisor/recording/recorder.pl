#!/usr/bin/perl
# Records one tmux pane: `recorder FOLDER BOOT_ID MONOTONIC_US WALL_US`, started by tmux's pipe-pane with the pane's output
# on stdin. Appends the bytes to terminal.raw and lines of `microseconds offset` to terminal.idx, until stdin ends. The three
# figures are the recording's origin, so that all times are microseconds since then. It needs perl-base alone, and must
# never wait for anything: what it does not read, the tmux server has to hold in memory.
use strict;
use warnings;
use Config;
use Fcntl;

my ($folder, $boot, $monotonic0, $wall0) = @ARGV;
$SIG{$_} = 'IGNORE' for qw(HUP INT TERM PIPE);    # the end of the pane ends it, nothing else
umask 077;
chdir $folder or die "$folder: $!\n";
sysopen my $err, 'recorder.err', O_WRONLY | O_APPEND | O_CREAT or die "recorder.err: $!\n";
syswrite $err, "\n" unless -s $err;               # takes the block that an error line needs once the disk is full

my ($arch) = $Config{archname} =~ /^([^-]+)/;
my %calls = (x86_64 => [228, 75], aarch64 => [113, 83], riscv64 => [113, 83]);
my ($clock_gettime, $fdatasync) = @{ $calls{$arch} // give_up("no system call numbers for $arch") };
sysopen my $raw, 'terminal.raw', O_WRONLY | O_APPEND | O_CREAT or give_up("terminal.raw: $!");
sysopen my $idx, 'terminal.idx', O_RDWR | O_APPEND | O_CREAT   or give_up("terminal.idx: $!");
# The daemon sees by this lock that the pane is being recorded; a second recorder waits until the first has read all.
my $lock = pack 's s x4 q q l x4', F_WRLCK, 0, 0, 0, 0;
fcntl $raw, F_SETLKW, $lock or give_up("lock: $!");

my $same_boot = do { open my $f, '<', '/proc/sys/kernel/random/boot_id'; $f && <$f> =~ /^\Q$boot\E/ };
my $base = $same_boot ? -$monotonic0 : clock(0) - $wall0 - clock(1);
my $size = -s $raw;
my $whole = whole_lines();
my $lost = $whole ? '?' : 0;                      # a recorder before this one ended: what came between is unknown
my ($indexed, $synced, $dirty, $failed, $syncer) = (-1e9, 0, 0, 0, 0);
vec(my $stdin = '', 0, 1) = 1;

while (1) {
    if (select(my $ready = $stdin, undef, undef, $dirty ? 1 : undef) > 0) {
        my $count = sysread STDIN, my $bytes, 65536;
        next unless defined $count;
        last unless $count;
        record($bytes);
    }
    sync_soon() if $dirty && now() - $synced >= 1e6;
}
line(now() . " $size gap $lost") if $lost;
line(now() . " $size end");
syscall $fdatasync, fileno $_ for $raw, $idx;

sub record {
    my ($bytes) = @_;
    my $time = now();
    my $written = 0;
    while ($written < length $bytes) {
        my $count = syswrite $raw, $bytes, 65536, $written or fail($time), last;
        $written += $count;
    }
    if ($written && ($lost || $time - $indexed >= 1000) && line("$time $size" . ($lost ? " gap $lost" : ''))) {
        ($indexed, $lost) = ($time, 0);
    }
    $size += $written;
    $dirty = 1 if $written;
    return $failed = 0 if $written == length $bytes;
    $lost += length($bytes) - $written unless $lost eq '?';
}

# One whole line to the index, or nothing of it.
sub line {
    my $line = "$_[0]\n";
    my $written = syswrite($idx, $line) // 0;
    if ($written == length $line) { $whole += $written; return 1 }
    fail(now());
    truncate $idx, $whole;
    return 0;
}

sub whole_lines {
    my $end = -s $idx;
    my $from = $end > 4096 ? $end - 4096 : 0;
    sysseek $idx, $from, 0;
    sysread $idx, my $tail, 4096;
    my $keep = $from + rindex($tail, "\n") + 1;
    truncate $idx, $keep if $keep < $end;
    return $keep;
}

# To the disk about once a second, by a child: a slow disk must not hold up the reading.
sub sync_soon {
    return if $syncer && waitpid($syncer, 1) == 0;
    $syncer = fork // return;
    if (!$syncer) { syscall $fdatasync, fileno $_ for $raw, $idx; exit 0 }
    ($synced, $dirty) = (now(), 0);
}

sub fail { syswrite $err, "$_[0] $!\n" unless $failed++ }
sub give_up { syswrite $err, "0 $_[0]\n"; exit 1 }
sub now { return $base + clock(1) }

sub clock {
    my $time = "\0" x 16;
    syscall $clock_gettime, $_[0], $time;
    my ($seconds, $nanoseconds) = unpack 'q q', $time;
    return $seconds * 1_000_000 + int($nanoseconds / 1000);
}
