# Finds a Java 25 or newer. POSIX sh, to be sourced:
#
#   . "$root/bin/lib/java.sh"
#   find_java       || …     a runtime is enough
#   find_java javac || …     a JDK: bin/javac must be there as well
#
# Sets and exports JAVA_HOME. It reads the `release` file of each home instead of starting a JVM, so it costs about a
# millisecond.

java_wanted=25

# java_home_fits HOME [TOOL]: HOME holds a Java of the wanted version, with bin/java (and bin/TOOL).
java_home_fits() {
    [ -r "$1/release" ] && [ -x "$1/bin/java" ] && [ -x "$1/bin/${2:-java}" ] || return 1
    while IFS= read -r java_line || [ -n "$java_line" ]; do
        case $java_line in
            JAVA_VERSION=*)
                java_line=${java_line#JAVA_VERSION=}
                java_line=${java_line#\"}
                java_line=${java_line%%[!0-9]*}
                [ "${java_line:-0}" -ge "$java_wanted" ]
                return
                ;;
        esac
    done <"$1/release"
    return 1
}

# What the user chose comes first (JAVA_HOME, then PATH), then the places where packages and version managers put a JDK.
find_java() {
    java_on_path=$(command -v java) && java_on_path=$(readlink -f "$java_on_path") || java_on_path=
    for java_home in "${JAVA_HOME:-}" "${java_on_path%/bin/java}" \
        /usr/lib/jvm/* /usr/java/* /opt/* /opt/*/* "${HOME:-}"/.sdkman/candidates/java/* "${HOME:-}"/.jdks/*; do
        if [ -n "$java_home" ] && java_home_fits "$java_home" "${1:-}"; then
            JAVA_HOME=$java_home
            export JAVA_HOME
            return 0
        fi
    done
    return 1
}
